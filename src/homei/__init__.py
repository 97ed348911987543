"""homei turns a city's property sales into valuations that can be explained and rebuilt byte for byte."""
