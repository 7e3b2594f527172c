"""What a running command tells those who watch over it: metrics, health, systemd's notices."""
