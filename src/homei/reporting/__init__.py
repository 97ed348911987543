"""Charts, HTML pages and the stakeholder site."""
