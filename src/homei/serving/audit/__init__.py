"""The audit trail: who did what and when, in a hash chain that shows every change."""
