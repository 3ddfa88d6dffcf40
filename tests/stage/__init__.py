"""A stage: a site with made-up cases, for screenshots and for whoever judges pages by their looks."""
