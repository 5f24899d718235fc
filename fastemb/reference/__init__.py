"""The pure-NumPy twins: slow, plain, obviously right. To read, to test the C engine against, to beat in benchmarks.

block       one training step: gather -> block -> scatter, and its loss
sampling    subsampling, noise distribution, alias table
huffman     the tree of hierarchical softmax
random      the counter-based random numbers of the C trainer
word2vec    skip-gram and CBOW, one centre word after the other: the oracle of the C trainer
glove       GloVe: cost, gradients, and the C trainer's steps
ppmi        positive PMI, truncated SVD, the weights of LSA, on dense matrices
phrases     collocations, counted and joined with dictionaries
minibatch   vectorised skip-gram with negative sampling, the benchmarks' baseline

Nothing here imports anything else of fastemb.
"""
