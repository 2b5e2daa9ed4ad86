"""Where approved steps run. Engines get plans and pinned sources, and answer with tables; they see no text of an analyst."""
