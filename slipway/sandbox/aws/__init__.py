"""The AWS API of the sandbox: moto's backends behind one server, with the real thing behind EKS, RDS and ECR."""
