"""Which of a pool's brokers is asked."""
