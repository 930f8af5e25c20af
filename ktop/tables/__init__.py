"""Tables without a screen: columns, order, filter, trend."""
