"""How events change their shape: what reads what, which steps lead from one version to another, who may go first."""
