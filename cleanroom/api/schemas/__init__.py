"""The shapes of bodies and answers, a file for each blueprint: they check what comes in and make the OpenAPI document."""
