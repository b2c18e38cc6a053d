"""What a station keeps: the journal (apsw) and the whitelist (sqlite-utils), in files of their own."""
