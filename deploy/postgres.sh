#!/bin/sh
# The database of har-history, in a new PostgreSQL: `har` owns it, and `web` reads it.
# The image's entry point runs this once, before anybody can connect.
set -eu
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "${POSTGRES_USER:-postgres}" <<'END'
\set history_password `cat /run/secrets/history-password`
\set web_password `cat /run/secrets/web-password`
CREATE ROLE har LOGIN PASSWORD :'history_password';
CREATE ROLE web LOGIN PASSWORD :'web_password';
CREATE DATABASE har OWNER har ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE har FROM PUBLIC;
GRANT CONNECT ON DATABASE har TO web;
\connect har
ALTER DEFAULT PRIVILEGES FOR ROLE har IN SCHEMA public GRANT SELECT ON TABLES TO web;
ALTER SCHEMA public OWNER TO har;
END
