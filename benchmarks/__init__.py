"""What is measured, against its limit, in one run. Nothing of the product sees this package."""
