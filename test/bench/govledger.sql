-- Every table under the ledger, sealed by the worker. psql variable: key_file
CREATE EXTENSION govledger;
SELECT govledger.generate_key(:'key_file');
ALTER SYSTEM SET govledger.origin = 'bench.example/log';
SELECT format('ALTER SYSTEM SET govledger.signing_key = %L', 'file:' || :'key_file') \gexec
SELECT format('ALTER SYSTEM SET govledger.databases = %L', current_database()) \gexec
SELECT pg_reload_conf();
SELECT govledger.protect('pgbench_accounts', history => false);
SELECT govledger.protect('pgbench_branches', history => false);
SELECT govledger.protect('pgbench_tellers', history => false);
SELECT govledger.protect('pgbench_history', append_only => true, history => false);
SELECT govledger.protect('bench.bulk', history => false);
SELECT govledger.protect('bench.single', history => false);
