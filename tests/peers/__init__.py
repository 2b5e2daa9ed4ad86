"""Queries of other privacy projects, judged here: where the two agree, where not, and why."""
