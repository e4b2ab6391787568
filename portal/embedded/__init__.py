"""Embedded PostgreSQL and Valkey where no URL names servers; nothing starts by importing this."""

from portal.embedded.accounts import EmbeddedError
from portal.embedded.services import ensure_services, needs_services, throwaway_services

__all__ = ["EmbeddedError", "ensure_services", "needs_services", "throwaway_services"]
