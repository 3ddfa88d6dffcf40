"""The report of a study: what it says is made once, for the PDF, the page and the JSON alike."""
