"""What was sent, compared with what its receivers list: what they lost is sent again, under the same id."""
