"""What tills ask for: payments, receipts, programmes' points, a manager's words."""
