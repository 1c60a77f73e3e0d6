"""ECR: moto's backend over the sandbox's registry, which holds the images."""
