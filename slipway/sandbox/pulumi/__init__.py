"""Pulumi's command line, its Python language host and its Kubernetes provider, where the machine has none of them."""
