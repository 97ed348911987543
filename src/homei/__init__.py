"""homei turns a city's property sales into valuations that can be trusted, explained and rebuilt byte for byte."""
