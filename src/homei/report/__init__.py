"""What people look at: charts, executed notebooks, the stakeholder site."""
