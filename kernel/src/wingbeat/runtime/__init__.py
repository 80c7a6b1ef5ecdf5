"""What runs inside an attempt's process: reads the task contract, calls the function, writes the result.

Standard library and msgspec only.
"""
