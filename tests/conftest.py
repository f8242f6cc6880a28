from __future__ import annotations

from tests.postgres.fixtures import bare_postgres_url, pooled_postgres_url, pooler, postgres, postgres_url

__all__ = ["bare_postgres_url", "pooled_postgres_url", "pooler", "postgres", "postgres_url"]
