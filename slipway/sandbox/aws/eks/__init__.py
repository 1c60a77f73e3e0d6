"""EKS: moto's backend, completed, with a real Kubernetes behind each cluster."""
