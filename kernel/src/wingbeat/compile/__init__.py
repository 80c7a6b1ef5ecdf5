"""Check and flatten: spec + inputs become a plan. Pure; errors name the user's file and line."""
