"""Random systems that are taken from version to version, and what must hold of them whatever happens."""
