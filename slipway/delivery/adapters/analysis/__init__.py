"""Who answers the entries of `rollout.analysis`: one file a type."""
