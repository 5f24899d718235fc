"""The pure-NumPy twins: slow, plain, obviously right. To read, to test the C engine against, to beat in benchmarks.

block       one training step: gather -> block -> scatter, and its loss
sampling    subsampling, noise distribution, alias table
huffman     the tree of hierarchical softmax
minibatch   vectorised skip-gram with negative sampling, the benchmarks' baseline

Nothing here imports anything else of fastemb.
"""
