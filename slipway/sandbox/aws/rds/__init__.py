"""RDS: moto's backend with a real PostgreSQL behind each instance."""
