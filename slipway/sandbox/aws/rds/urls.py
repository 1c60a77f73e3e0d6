"""moto's own routes; a backend's class finds them beside its module."""

from moto.rds.urls import url_bases, url_paths

__all__ = ["url_bases", "url_paths"]
