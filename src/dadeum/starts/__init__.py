"""Start-pattern doctor: does a model still begin its answers by what it was asked?"""
