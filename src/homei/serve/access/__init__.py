"""Who may: keys, tokens, clients, and the gate that every request passes."""
