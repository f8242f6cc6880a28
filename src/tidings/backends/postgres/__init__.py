"""The PostgreSQL back end: the log and the store in one database, for many processes."""
