"""How a model comes to be: data, augmentation, fitting, figures, packaging. Not needed where models only serve."""
