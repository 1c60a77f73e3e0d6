"""A cluster that is there already (kind, k3d, minikube) in place of one that the sandbox builds.

What EKS adds to Kubernetes stands before it: an endpoint of its own that takes AWS tokens. The rest of the cluster is its owner's.
"""
