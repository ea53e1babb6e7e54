-- Run this on the MySQL primary; replicas get the accounts by replication. Replace the passwords and the host pattern '%'.
CREATE DATABASE miniapp CHARACTER SET utf8mb4;
-- The MySQL gateway (MYSQL_URL) logs in with this account. Functions only read and write rows.
CREATE USER 'miniapp'@'%' IDENTIFIED BY 'replace-me-1';
GRANT SELECT, INSERT, UPDATE, DELETE ON miniapp.* TO 'miniapp'@'%';
-- The MySQL gateway reads from replicas (MYSQL_REPLICA_URLS) with this account.
CREATE USER 'miniapp_reader'@'%' IDENTIFIED BY 'replace-me-2';
GRANT SELECT ON miniapp.* TO 'miniapp_reader'@'%';
-- For `npm run db -- migrate`: start a MySQL gateway with this account, migrate, and stop it again.
CREATE USER 'miniapp_migrations'@'%' IDENTIFIED BY 'replace-me-3';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES ON miniapp.* TO 'miniapp_migrations'@'%';
