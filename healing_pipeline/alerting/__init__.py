"""Who is told what, and when. Pure: facts and a moment in, messages out; nothing is sent here."""
