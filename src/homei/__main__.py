from homei.cli.main import main

main()
