"""What the product is made of: a bill of materials in CycloneDX's form, and the licence of each part."""
