/* Assembled from src by make; the order is the FEATURES list of the Makefile. */

\echo Use "CREATE EXTENSION govledger" to load this file. \quit

SET LOCAL search_path TO pg_catalog, pg_temp;

