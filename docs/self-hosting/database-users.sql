-- Accounts of the MySQL primary; its replicas get them by replication. Replace the passwords and the host pattern.
-- Functions read and write rows and nothing else: the gateway (MYSQL_URL) logs in as this one.
CREATE USER 'miniapp'@'%' IDENTIFIED BY 'replace-me-1';
GRANT SELECT, INSERT, UPDATE, DELETE ON miniapp.* TO 'miniapp'@'%';
-- Replicas (MYSQL_REPLICA_URLS).
CREATE USER 'miniapp_reader'@'%' IDENTIFIED BY 'replace-me-2';
GRANT SELECT ON miniapp.* TO 'miniapp_reader'@'%';
-- npm run db -- migrate, through a gateway that is started with this account for as long as it takes.
CREATE USER 'miniapp_migrations'@'%' IDENTIFIED BY 'replace-me-3';
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, INDEX, DROP, REFERENCES ON miniapp.* TO 'miniapp_migrations'@'%';
