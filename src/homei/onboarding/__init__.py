"""First run of a city: `homei init` drafts its configuration, `homei check` tests it."""
