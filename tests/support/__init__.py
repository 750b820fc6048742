"""What tests share: a real installation on loopback."""
