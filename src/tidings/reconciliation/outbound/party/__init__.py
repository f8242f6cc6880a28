"""What a party should hold of what we own, compared with what it lists: what it never took in is pushed again."""
