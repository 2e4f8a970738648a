"""What people and notebooks see of the findings: findings.html and rows.parquet."""
