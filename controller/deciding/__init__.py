"""Who may fuel, and how much: around the pure decision, what it needs is fetched and what it says is done."""
