"""The Kubernetes provider."""

from slipway.sandbox.providers.kubernetes.provider import KubernetesProvider

__all__ = ["KubernetesProvider"]
