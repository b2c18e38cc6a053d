"""MIFARE DESFire: its cryptography and its secure messaging, without any reader or card application."""
