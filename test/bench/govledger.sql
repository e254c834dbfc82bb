-- Every table under the ledger. psql variables: name, database, key_file, history
CREATE EXTENSION govledger;
SELECT govledger.generate_key(:'key_file');
SELECT format('ALTER DATABASE %I SET govledger.origin = %L', :'database', 'bench.example/' || :'name') \gexec
SELECT format('ALTER DATABASE %I SET govledger.signing_key = %L', :'database', 'file:' || :'key_file') \gexec
SELECT govledger.protect('pgbench_accounts', history => :history);
SELECT govledger.protect('pgbench_branches', history => :history);
SELECT govledger.protect('pgbench_tellers', history => :history);
SELECT govledger.protect('pgbench_history', append_only => true, history => :history);
SELECT govledger.protect('bench.bulk', history => :history);
SELECT govledger.protect('bench.single', history => :history);
