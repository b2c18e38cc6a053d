"""Commands of a station's office: journal, lists, programmes, orders to pumps."""
