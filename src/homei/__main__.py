from homei.cli import main

main()
